//! Passwords of operators: Argon2id, and no more of them at a time than memory is meant for.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::http::problem::{FieldError, Problem};
use crate::secret_key::random;

/// How many characters a password has.
pub const CHARS: std::ops::RangeInclusive<usize> = 12..=256;

/// At once; each takes 19 MiB.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Notes it among the errors where a new password cannot be one.
pub fn check_new(field: &str, password: &str, errors: &mut Vec<FieldError>) {
    if !CHARS.contains(&password.chars().count()) {
        let (least, most) = (CHARS.start(), CHARS.end());
        errors.push(FieldError::at(
            field,
            format!("expected {least} to {most} characters"),
        ));
    }
}

/// What is kept of a password, in PHC's form.
///
/// # Errors
/// 500 where there is no randomness.
pub async fn hash(password: String) -> Result<String, Problem> {
    let salt: [u8; 16] = random()?;
    work(move || {
        let hashed = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
        hashed.map(|hash| hash.to_string()).map_err(|error| {
            tracing::error!(%error, "cannot hash a password");
            Problem::internal()
        })
    })
    .await?
}

/// Whether this is the password. Where there is none to compare with it takes the same time, so that nobody learns
/// who there is.
///
/// # Errors
/// 500 where the work could not be done.
pub async fn matches(password: String, kept: Option<String>) -> Result<bool, Problem> {
    let Some(kept) = kept else {
        hash(password).await?;
        return Ok(false);
    };
    work(move || {
        let kept = PasswordHash::new(&kept);
        kept.is_ok_and(|kept| {
            Argon2::default()
                .verify_password(password.as_bytes(), &kept)
                .is_ok()
        })
    })
    .await
}

async fn work<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let _turn = AT_ONCE.acquire().await.map_err(|_| Problem::internal())?;
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "the work on a password failed");
        Problem::internal()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_matches_and_no_two_hashes_are_the_same() {
        let one = hash("correct horse battery".to_owned()).await.unwrap();
        let other = hash("correct horse battery".to_owned()).await.unwrap();
        assert!(one.starts_with("$argon2id$"), "{one}");
        assert_ne!(one, other);
        assert!(
            matches("correct horse battery".to_owned(), Some(one.clone()))
                .await
                .unwrap()
        );
        assert!(
            !matches("correct horse batter".to_owned(), Some(one))
                .await
                .unwrap()
        );
        assert!(!matches("correct horse battery".to_owned(), None).await.unwrap());
        assert!(!matches(String::new(), Some("no hash".to_owned())).await.unwrap());
    }
}
