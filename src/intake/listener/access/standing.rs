//! Who is known, and what open connections may do as the users file changes.
//!
//! A connection keeps the standing that it was let in with; a new users file changes what the standing allows. So a user who is
//! taken out, or whose password is another, publishes nothing more, without anyone looking through the connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

use smol_str::SmolStr;

use super::rights::Rights;
use super::users::UsersFile;

/// What a user may publish as of now.
#[derive(Debug)]
pub(super) struct Standing(RwLock<Arc<Rights>>);

impl Standing {
    pub(super) fn new(rights: Rights) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(rights))))
    }

    pub(super) fn allows(&self, topic: &str) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .allow(topic)
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_nothing()
    }

    pub(super) fn change(&self, rights: Rights) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rights);
    }
}

/// One user, as it is checked.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Hash of the password; `None`: a certificate only.
    pub(super) hash: Option<SmolStr>,
    pub(super) standing: Arc<Standing>,
}

/// All users.
#[derive(Debug, Default)]
pub(super) struct Book {
    users: BTreeMap<SmolStr, Known>,
}

impl Book {
    pub(super) fn get(&self, name: &str) -> Option<&Known> {
        self.users.get(name)
    }

    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    /// Takes over a users file. Who is gone, or has another password, stands for nothing from now on.
    pub(super) fn follow(&mut self, file: &UsersFile) {
        let mut before = std::mem::take(&mut self.users);
        for user in file.users() {
            let rights = Rights::of(&user.may);
            let standing = match before.remove(&user.name) {
                Some(known) if known.hash == user.hash => {
                    known.standing.change(rights);
                    known.standing
                }
                other => {
                    if let Some(known) = other {
                        known.standing.change(Rights::default());
                    }
                    Standing::new(rights)
                }
            };
            let hash = user.hash.clone();
            self.users
                .insert(user.name.clone(), Known { hash, standing });
        }
        for gone in before.into_values() {
            gone.standing.change(Rights::default());
        }
    }
}
