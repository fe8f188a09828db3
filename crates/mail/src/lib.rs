//! Rendering, SMTP delivery and the development inbox of otpost.
