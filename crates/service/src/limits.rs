//! The limits of one project, by their names in configurations and answers.

use std::collections::HashSet;

use otpost_domain::{Address, FoldedAddress, Limit, Network, Profile, ProjectName};
use otpost_ports::{Charge, Quotas, RecipientLimits, Subject, Vault};

const MINUTE: u32 = 60;
const TEN_MINUTES: u32 = 600;
const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;

/// What a project, its recipients and its visitors may do. A quota of 0 switches a limit off.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Sends and resends of a project.
    pub project_sends_per_minute: Limit,
    /// Verifications of a project.
    pub project_verifies_per_minute: Limit,
    /// Looks at the status, counted by each process for itself.
    pub project_reads_per_minute: Limit,
    /// Wrong codes of a project. Past it nobody is refused, but every session has one guess; the
    /// strict profile refuses.
    pub project_failures_per_day: Limit,
    /// Mails of this project to a recipient.
    pub recipient: RecipientLimits,
    /// Mails of all projects to a recipient: the same in every project, for they are counted
    /// together.
    pub recipient_everywhere: RecipientLimits,
    /// Sends for one network.
    pub client_ip_per_10_minutes: Limit,
    /// Sends for one network.
    pub client_ip_per_day: Limit,
    /// All mails of the installation.
    pub installation_mails_per_minute: Limit,
    /// Who has no limits of recipients.
    pub exempt_recipients: HashSet<Exempt>,
}

/// Who has no limits of recipients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Exempt {
    /// A mailbox, however its address is spelt.
    Mailbox(FoldedAddress),
    /// Every address at this domain: lower case, A-labels.
    Domain(String),
}

impl Exempt {
    /// Reads an address or a domain; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = Address::parse(text) {
            return Some(Self::Mailbox(FoldedAddress::of(&address)));
        }
        let at_domain = Address::parse(&format!("any@{text}")).ok()?;
        Some(Self::Domain(at_domain.domain().to_owned()))
    }
}

impl Limits {
    /// No limit at all: a development run.
    #[must_use]
    pub fn off() -> Self {
        let off = Limit::new(0, DAY);
        let recipient = RecipientLimits {
            per_10_minutes: off,
            per_hour: off,
            per_day: off,
        };
        Self {
            project_sends_per_minute: off,
            project_verifies_per_minute: off,
            project_reads_per_minute: off,
            project_failures_per_day: off,
            recipient,
            recipient_everywhere: recipient,
            client_ip_per_10_minutes: off,
            client_ip_per_day: off,
            installation_mails_per_minute: off,
            exempt_recipients: HashSet::new(),
        }
    }

    /// Whether mails to `address` are exempt from the limits of recipients.
    #[must_use]
    pub fn exempts(&self, address: &Address) -> bool {
        let exempt = &self.exempt_recipients;
        let is_exempt = |one: Exempt| exempt.contains(&one);
        !exempt.is_empty()
            && (is_exempt(Exempt::Mailbox(FoldedAddress::of(address)))
                || is_exempt(Exempt::Domain(address.domain().to_owned())))
    }

    /// What one more mail is counted against.
    pub(crate) fn of_mail(
        &self,
        project: &ProjectName,
        client_ip: Option<&Network>,
        profile: Profile,
        vault: &dyn Vault,
    ) -> Quotas {
        let charge = |subject: &Subject, bucket, name, limit| Charge {
            subject: subject.clone(),
            bucket,
            name,
            limit,
        };
        let project_sends = ("project_sends_per_minute", self.project_sends_per_minute);
        let all = (
            "installation_mails_per_minute",
            self.installation_mails_per_minute,
        );
        let mut caller = vec![
            charge(
                &Subject::project(project),
                0,
                project_sends.0,
                project_sends.1,
            ),
            charge(&Subject::installation(), 0, all.0, all.1),
        ];
        if let Some(network) = client_ip {
            let network = Subject::network_of(project, &vault.digest_network(network));
            let (short, long) = (self.client_ip_per_10_minutes, self.client_ip_per_day);
            caller.push(charge(&network, 0, "client_ip_per_10_minutes", short));
            caller.push(charge(&network, 1, "client_ip_per_day", long));
        }
        self.quotas(caller, profile)
    }

    /// What a verification is counted against.
    pub(crate) fn of_verification(&self, project: &ProjectName, profile: Profile) -> Quotas {
        let verifies = Charge {
            subject: Subject::project(project),
            bucket: 1,
            name: "project_verifies_per_minute",
            limit: self.project_verifies_per_minute,
        };
        self.quotas(vec![verifies], profile)
    }

    /// What a look at a session needs to judge it: nothing is counted.
    pub(crate) fn of_look(&self, profile: Profile) -> Quotas {
        self.quotas(Vec::new(), profile)
    }

    fn quotas(&self, caller: Vec<Charge>, profile: Profile) -> Quotas {
        Quotas {
            caller,
            recipient: self.recipient,
            everywhere: self.recipient_everywhere,
            failures: self.project_failures_per_day,
            profile,
        }
    }
}

/// The documented defaults.
impl Default for Limits {
    fn default() -> Self {
        let recipient = RecipientLimits {
            per_10_minutes: Limit::new(5, TEN_MINUTES),
            per_hour: Limit::new(10, HOUR),
            per_day: Limit::new(20, DAY),
        };
        Self {
            project_sends_per_minute: Limit::new(60, MINUTE),
            project_verifies_per_minute: Limit::new(600, MINUTE),
            project_reads_per_minute: Limit::new(1_200, MINUTE),
            project_failures_per_day: Limit::new(1_000, DAY),
            recipient,
            recipient_everywhere: recipient.over_installation(),
            client_ip_per_10_minutes: Limit::new(10, TEN_MINUTES),
            client_ip_per_day: Limit::new(50, DAY),
            installation_mails_per_minute: Limit::new(0, MINUTE),
            exempt_recipients: HashSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_exempt_in_every_spelling_and_a_domain_without_its_subdomains() {
        let exempts = |exempt: &str, address: &str| {
            let limits = Limits {
                exempt_recipients: Exempt::parse(exempt).into_iter().collect(),
                ..Limits::default()
            };
            limits.exempts(&Address::parse(address).unwrap())
        };
        for (exempt, address, is_exempt) in [
            ("QA@Example.com", "qa@example.com", true),
            ("qa@example.com", "qa+42@example.com", true),
            ("qa@example.com", "other@example.com", false),
            ("Example.COM", "other@example.com", true),
            ("example.com", "other@sub.example.com", false),
            ("ample.com", "other@example.com", false),
            ("bücher.example", "a@xn--bcher-kva.example", true),
        ] {
            assert_eq!(exempts(exempt, address), is_exempt, "{exempt}: {address}");
        }
        for text in ["", "qa@", "@example.com", "*.example.com", "localhost"] {
            assert_eq!(Exempt::parse(text), None, "{text}");
        }
    }
}
