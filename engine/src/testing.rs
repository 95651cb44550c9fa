//! For tests of kinds and graphs: a bench for one kind, files in memory, doubles for the seams.
