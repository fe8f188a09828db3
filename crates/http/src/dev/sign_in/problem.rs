//! What can go wrong on the way, in words for the person who reads it: what happened, and what to
//! do now.

use actix_web::http::StatusCode;
use otpost_domain::{Refusal, Verdict};
use otpost_service::Limited;

use crate::metering::wait_secs;

/// The form with the address comes back.
#[derive(Clone, Copy)]
pub(super) enum AddressProblem {
    Missing,
    Malformed,
    /// The form was sent before, with another address.
    Changed,
    Limited(Limited),
    OnHold,
    Unavailable,
}

impl AddressProblem {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Missing | Self::Malformed | Self::Changed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::OnHold => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn words(self) -> String {
        match self {
            Self::Missing => "Enter your email address".to_owned(),
            Self::Malformed => {
                "Enter an email address in the correct format, like name@example.com".to_owned()
            }
            Self::Changed => {
                "You changed the email address. Select Continue to send a code to it".to_owned()
            }
            Self::Limited(limited) => format!(
                "Too many codes were asked for. Try again in {}",
                duration(wait_secs(&limited))
            ),
            Self::OnHold => {
                "Too many wrong codes were entered for this email address. Ask us for help"
                    .to_owned()
            }
            Self::Unavailable => {
                "We cannot send an email at the moment. Try again in a few minutes".to_owned()
            }
        }
    }
}

/// The form with the code comes back.
#[derive(Clone, Copy)]
pub(super) enum CodeProblem {
    Missing,
    Malformed,
    Wrong {
        attempts_remaining: u8,
    },
    TooManyAttempts,
    Expired,
    OnHold,
    /// Used already, or not known any more.
    Ended,
    /// Too many submissions.
    Limited(Limited),
    /// The mail is asked for again too early, by this many seconds.
    TooEarly(u32),
    /// Too many mails.
    NoMailNow(Limited),
    /// Mailed as often as can be.
    NoMailAny,
    Unavailable,
}

impl CodeProblem {
    /// Why a code is refused.
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Malformed { .. } => Self::Malformed,
            Verdict::Mismatch {
                attempts_remaining: 0,
            }
            | Verdict::WrongCode {
                attempts_remaining: 0,
            }
            | Verdict::TooManyAttempts => Self::TooManyAttempts,
            Verdict::Mismatch { attempts_remaining }
            | Verdict::WrongCode { attempts_remaining } => Self::Wrong { attempts_remaining },
            Verdict::Expired => Self::Expired,
            Verdict::OnHold => Self::OnHold,
            Verdict::AlreadyVerified | Verdict::Verified => Self::Ended,
        }
    }

    /// Why nothing is mailed.
    pub(super) fn of_resend(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Verified | Refusal::Ended => Self::Ended,
            Refusal::OnHold => Self::OnHold,
            Refusal::CapReached => Self::NoMailAny,
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Missing | Self::Malformed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Wrong { .. } | Self::TooManyAttempts | Self::Expired | Self::Ended => {
                StatusCode::BAD_REQUEST
            }
            Self::OnHold => StatusCode::FORBIDDEN,
            Self::Limited(_) | Self::TooEarly(_) | Self::NoMailNow(_) | Self::NoMailAny => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn words(self) -> String {
        match self {
            Self::Missing => "Enter the code from the email".to_owned(),
            Self::Malformed => "Enter all the digits of the code, and nothing else".to_owned(),
            Self::Wrong {
                attempts_remaining: 1,
            } => "The code is not correct. Check the email: you have 1 attempt left".to_owned(),
            Self::Wrong { attempts_remaining } => format!(
                "The code is not correct. Check the email: you have {attempts_remaining} attempts \
                 left"
            ),
            Self::TooManyAttempts => {
                "A wrong code was entered too many times. Start again to get a new code".to_owned()
            }
            Self::Expired => {
                "The code has expired. Ask for the email again to get a new code".to_owned()
            }
            Self::OnHold => {
                "Too many wrong codes were entered for this email address. Ask us for help"
                    .to_owned()
            }
            Self::Ended => {
                "This code cannot be used any more. Start again to get a new code".to_owned()
            }
            Self::Limited(limited) => format!(
                "Too many codes were entered. Try again in {}",
                duration(wait_secs(&limited))
            ),
            Self::TooEarly(secs) => format!(
                "The email is on its way. You can ask for it again in {}",
                duration(secs)
            ),
            Self::NoMailNow(limited) => format!(
                "Too many emails were asked for. Try again in {}",
                duration(wait_secs(&limited))
            ),
            Self::NoMailAny => {
                "The email was sent as often as it can be. Start again to get a new code".to_owned()
            }
            Self::Unavailable => {
                "Something went wrong on our side. Try again in a few minutes".to_owned()
            }
        }
    }

    /// The element that mends it: the field, the button, or the link to the beginning.
    pub(super) const fn target(self) -> &'static str {
        match self {
            Self::Missing
            | Self::Malformed
            | Self::Wrong { .. }
            | Self::Limited(_)
            | Self::Unavailable => "code",
            Self::Expired | Self::TooEarly(_) | Self::NoMailNow(_) => "resend",
            Self::TooManyAttempts | Self::OnHold | Self::Ended | Self::NoMailAny => "start-again",
        }
    }

    /// Whether what was typed is worth mending.
    pub(super) const fn keeps_the_code(self) -> bool {
        matches!(self, Self::Malformed | Self::Limited(_) | Self::Unavailable)
    }
}

/// Seconds up to a minute and a half, else minutes, rounded up.
fn duration(secs: u32) -> String {
    match secs {
        1 => "1 second".to_owned(),
        0..=90 => format!("{secs} seconds"),
        _ => format!("{} minutes", secs.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use otpost_domain::Limit;

    use super::*;

    #[test]
    fn a_duration_is_said_in_words() {
        for (secs, words) in [
            (1, "1 second"),
            (30, "30 seconds"),
            (90, "90 seconds"),
            (91, "2 minutes"),
            (600, "10 minutes"),
        ] {
            assert_eq!(duration(secs), words);
        }
    }

    #[test]
    fn the_last_wrong_code_says_that_it_was_the_last() {
        let last = CodeProblem::of(Verdict::WrongCode {
            attempts_remaining: 0,
        });
        assert_eq!(last.target(), "start-again");
        let one = CodeProblem::of(Verdict::WrongCode {
            attempts_remaining: 1,
        });
        assert!(one.words().ends_with("1 attempt left"));
    }

    #[test]
    fn the_documentation_has_the_same_words() {
        let limited = Limited {
            name: "project",
            limit: Limit::new(1, 60),
            wait: Duration::from_secs(30),
        };
        let document = include_str!("../../../../../docs/sign-in-form.md");
        let of_address = [
            AddressProblem::Missing,
            AddressProblem::Malformed,
            AddressProblem::Changed,
            AddressProblem::Limited(limited),
            AddressProblem::OnHold,
            AddressProblem::Unavailable,
        ];
        for words in of_address.map(AddressProblem::words) {
            let row = format!("| {words} | the field |");
            assert!(document.contains(&row), "{row}");
        }
        for problem in [
            CodeProblem::Missing,
            CodeProblem::Malformed,
            CodeProblem::Wrong {
                attempts_remaining: 4,
            },
            CodeProblem::Wrong {
                attempts_remaining: 1,
            },
            CodeProblem::TooManyAttempts,
            CodeProblem::Expired,
            CodeProblem::OnHold,
            CodeProblem::Ended,
            CodeProblem::Limited(limited),
            CodeProblem::TooEarly(30),
            CodeProblem::NoMailNow(limited),
            CodeProblem::NoMailAny,
            CodeProblem::Unavailable,
        ] {
            let place = match problem.target() {
                "code" => "the field",
                "resend" => "the button",
                _ => "the beginning",
            };
            let row = format!("| {} | {place} |", problem.words());
            assert!(document.contains(&row), "{row}");
        }
    }
}
