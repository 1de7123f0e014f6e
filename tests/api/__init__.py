"""The object API as a whole: held against its documentation, the contract and type checkers."""
