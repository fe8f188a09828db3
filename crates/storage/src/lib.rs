//! SeaORM storage of otpost.
