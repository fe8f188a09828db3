//! A mixing function that spreads well, is the same everywhere, and keeps no secret.

/// One step of splitmix64 (Steele, Lea, Flood 2014).
pub(crate) const fn step(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number that depends on every byte of every part, and on where the parts end.
pub(crate) fn digest(parts: &[&[u8]]) -> u64 {
    parts.iter().fold(0, |state, part| {
        let state = step(state ^ part.len() as u64);
        part.iter()
            .fold(state, |state, byte| step(state ^ u64::from(*byte)))
    })
}

/// [`digest`] in 32 bytes.
pub(crate) fn digest_32(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = digest(parts);
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        state = step(state);
        chunk.copy_from_slice(&state.to_be_bytes());
    }
    bytes
}
