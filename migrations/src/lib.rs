//! The schema of otpost, one file per migration.
