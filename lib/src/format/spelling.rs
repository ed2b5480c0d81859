//! What times were expected to be.

/// What a time was expected to be, where any spelling is taken.
pub(super) const ANY: &str =
    "an existing time such as 2024-03-05T07:08:09Z, 05/Mar/2024:07:08:09 +0000 or 1709622489";

/// What a time was expected to be, where only one spelling is taken.
pub(super) const GIVEN: &str = "an existing time as --time-format spells it";
