//! What an account can be asked: its towns, and the sessions of its people.

use gastown_core::id::TownId;
use gastown_core::rate::Rate;
use gastown_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call::Call;

macro_rules! calls {
    ($($(#[$doc:meta])* $path:literal $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* } -> $reply:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl Call for $name {
            const PATH: &'static str = $path;
            type Reply = $reply;
        }
    )*};
}

calls! {
    /// Puts a town on the account's list; a repeat changes nothing.
    "/add_town" AddTown {
        /// The account's own name: `user:<id>` or `org:<id>`.
        account: String,
        /// Which.
        town_id: TownId,
        /// For people.
        name: String,
        /// Who made it.
        created_by: String,
    } -> ();
    /// Takes a town off the list.
    "/remove_town" RemoveTown {
        /// Which.
        town_id: TownId,
    } -> ();
    /// A town says whether it has live work; one that has is looked after.
    "/set_active" SetActive {
        /// Which.
        town_id: TownId,
        /// Whether something there moves with time.
        is_active: bool,
    } -> ();
    /// The account's towns, newest first.
    "/list_towns" ListTowns {} -> Vec<TownId>;
    /// A sign-in token is used; refused when it was used before.
    "/open_session" OpenSession {
        /// The account's own name.
        account: String,
        /// The token's number, when it is good for one use.
        jti: Option<String>,
        /// Generation that the token names.
        generation: Option<u64>,
        /// End of the token.
        expires_at: Timestamp,
    } -> OpenedSession;
    /// Whether a session or token is still good.
    "/check_session" CheckSession {
        /// Session of a cookie.
        session_id: Option<String>,
        /// Generation that the credential names.
        generation: Option<u64>,
    } -> SessionCheck;
    /// One more call of this subject; refused with `rate_limited` when it calls too often.
    "/count" Count {
        /// How often it may.
        rate: Rate,
    } -> ();
    /// Ends one session.
    "/sign_out" SignOut {
        /// Which.
        session_id: String,
        /// End of its cookie.
        expires_at: Timestamp,
    } -> ();
    /// Ends every session.
    "/revoke_sessions" RevokeSessions {
        /// The account's own name.
        account: String,
    } -> ();
}

/// Whether a session was opened, and the generation that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedSession {
    /// False when the token was used before, or is of an older generation.
    pub is_open: bool,
    /// The account's generation.
    pub generation: u64,
}

/// Whether a credential is still good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCheck {
    /// Not signed out and not of an older generation.
    pub is_live: bool,
}
