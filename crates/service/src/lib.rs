//! The use cases of otpost and its background workers.
