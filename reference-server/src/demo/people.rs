//! Who works at Tidewater Town Works, and who complains there.

use complaint_core::Agent;
use complaint_core::id::{AgentId, InvalidId, Level};

use crate::auth::Role;

/// Everybody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    /// Key of the account, and of the customer or agent.
    pub id: String,
    /// Full name.
    pub name: &'static str,
    /// E-mail address.
    pub email: String,
    /// What the account may be used for.
    pub role: Role,
    /// What people call the role.
    pub title: &'static str,
}

/// The organisation and its customers.
#[derive(Debug, Clone)]
pub struct People {
    /// Everybody, staff first.
    pub everybody: Vec<Person>,
    /// Those who can hold a complaint.
    pub agents: Vec<Agent>,
    /// Keys of those who complain.
    pub customers: Vec<Person>,
}

const ADMIN: &str = "Ada Lindgren";
const MANAGERS: [(&str, u32); 2] = [("Omar Haddad", 20), ("Ingrid Solberg", 16)];
const SUPERVISORS: [(&str, u32); 3] = [("Maria Keane", 14), ("Stefan Brandt", 12), ("Lucia Ferri", 10)];
const AGENTS: [(&str, &[&str], u32, usize); 8] = [
    ("Aoife Byrne", &["damaged-goods", "late-delivery"], 14, 0),
    ("Ben Okafor", &["late-delivery", "billing"], 12, 0),
    ("Clara Novak", &["damaged-goods", "billing"], 12, 0),
    ("Dmitri Sokol", &["streets", "waste"], 14, 1),
    (NOISE_EXPERT, &["noise", "waste"], 12, 1),
    ("Farid Haidari", &["permits", "service"], 10, 2),
    ("Grace Mensah", &["service", "billing", "permits"], 12, 2),
    ("Hugo Lindqvist", &["streets", "damaged-goods"], 6, 1),
];
/// The only one who knows about noise: while she is away, complaints about it wait.
pub const NOISE_EXPERT: &str = "Elif Demir";
const CUSTOMERS: [&str; 30] = [
    "John Harper",
    "Asha Rao",
    "Miguel Santos",
    "Ewa Kowalska",
    "Tom Whelan",
    "Nadia Benali",
    "Piotr Zielak",
    "Sofia Marin",
    "Kwame Boateng",
    "Helen Moore",
    "Yusuf Kaya",
    "Brigid Nolan",
    "Lars Eriksen",
    "Chloe Dubois",
    "Raj Patel",
    "Maeve Connolly",
    "Viktor Hrusa",
    "Amina Yusuf",
    "Declan Roche",
    "Greta Vogel",
    "Samuel Osei",
    "Oona Virtanen",
    "Paolo Greco",
    "Fatima Zahra",
    "Liam Doyle",
    "Hana Suzuki",
    "Marek Dvorak",
    "Jean Okoro",
    "Ruth Adler",
    "Conor Walsh",
];

/// Where customers have their mail: nobody's real domains (RFC 2606).
const MAIL_DOMAINS: [&str; 5] =
    ["mail.example.com", "post.example.org", "inbox.example.net", "home.example.com", "letterbox.example.org"];
const STAFF_DOMAIN: &str = "tidewater.example";

impl People {
    /// Everybody, always the same.
    pub fn of_tidewater() -> Result<Self, InvalidId> {
        let mut everybody = vec![person(ADMIN, Role::Admin, "Admin")];
        let mut agents = Vec::new();
        let (second, third) = (Level::FIRST.above(), Level::FIRST.above().above());
        for (name, capacity) in MANAGERS {
            let manager = person(name, Role::Agent, "Manager");
            agents.push(Agent::named(&*manager.id, name)?.at_level(third).with_capacity(capacity));
            everybody.push(manager);
        }
        for (at, (name, capacity)) in SUPERVISORS.into_iter().enumerate() {
            let supervisor = person(name, Role::Agent, "Supervisor");
            let superior = agents[at % MANAGERS.len()].id.clone();
            let agent = Agent::named(&*supervisor.id, name)?.at_level(second).with_capacity(capacity);
            agents.push(agent.reporting_to(superior));
            everybody.push(supervisor);
        }
        for (name, skills, capacity, superior) in AGENTS {
            let agent = person(name, Role::Agent, "Agent");
            let superior = agents[MANAGERS.len() + superior].id.clone();
            agents.push(
                Agent::named(&*agent.id, name)?
                    .skilled_in(skills.iter().copied())
                    .with_capacity(capacity)
                    .reporting_to(superior),
            );
            everybody.push(agent);
        }
        let domains = MAIL_DOMAINS.into_iter().cycle();
        let customers: Vec<Person> = CUSTOMERS
            .into_iter()
            .zip(domains)
            .map(|(name, domain)| at(domain, name, Role::Customer, "Customer"))
            .collect();
        everybody.extend(customers.iter().cloned());
        Ok(Self { everybody, agents, customers })
    }

    /// The agent with this key.
    pub fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.id == *id)
    }

    /// The agent with this name.
    pub fn agent_named(&self, name: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.name == name)
    }
}

fn person(name: &'static str, role: Role, title: &'static str) -> Person {
    at(STAFF_DOMAIN, name, role, title)
}

fn at(domain: &str, name: &'static str, role: Role, title: &'static str) -> Person {
    let key = name.to_lowercase().replace(' ', ".");
    Person { id: format!("demo-{}", key.replace('.', "-")), name, email: format!("{key}@{domain}"), role, title }
}
