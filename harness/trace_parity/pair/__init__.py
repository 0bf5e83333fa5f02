"""What a pair of programs is: vocabulary, quirks, cases, programs, equations."""
