//! Words that two layers spell on their own agree: settings and models may not name the wire, the wire need not name
//! them, and yet every refusal has to be one of the API's error codes.

use gastown_core::config::ConfigCode;
use gastown_core::models::OverrideIssueCode;
use gastown_core::wire::code::Code;

#[test]
fn every_refusal_of_settings_is_a_code_of_the_api() {
    for code in ConfigCode::ALL {
        assert!(code.as_str().parse::<Code>().is_ok(), "{code}");
    }
}

#[test]
fn every_refusal_of_an_override_is_a_refusal_of_settings() {
    for &code in OverrideIssueCode::ALL {
        let of_settings = ConfigCode::from(code).as_str();
        assert!(of_settings == code.as_str() || code == OverrideIssueCode::InvalidType, "{code}");
    }
}
