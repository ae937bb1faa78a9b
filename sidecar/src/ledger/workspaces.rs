//! Whose things a page shows.

/// All workspaces, or some by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workspaces {
    /// All, and what is of none.
    All,
    /// Only what is of these.
    Only(Vec<String>),
}

/// Narrows a SELECT to workspaces, where its conditions go on.
macro_rules! push_within {
    ($select:expr, $workspaces:expr) => {
        match $workspaces {
            $crate::ledger::Workspaces::All => {}
            // An empty list is no SQL.
            $crate::ledger::Workspaces::Only(names) if names.is_empty() => {
                $select.push(" AND 1 = 0");
            }
            $crate::ledger::Workspaces::Only(names) => {
                $select.push(" AND workspace IN ");
                push_in!($select, names);
            }
        }
    };
}
