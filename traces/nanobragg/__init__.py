"""Data of the shipped simulation: vocabulary, quirk ledger, programs, cases, golden figures."""
