//! The verdict without programs.
