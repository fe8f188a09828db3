//! The actix-web layer of otpost.
