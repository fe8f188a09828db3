//! Command line, configuration and wiring of otpost.
