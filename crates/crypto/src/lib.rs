//! Randomness, derivation and sealing of otpost, on ring.
