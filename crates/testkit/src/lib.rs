//! Fakes, contract suites and a scripted SMTP relay for tests of otpost.
