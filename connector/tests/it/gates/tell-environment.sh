#!/bin/bash
# Stands in for the compiler and tells what it sees; four lines are shown.
environment=$(tr "\0\n" "  " </proc/$$/environ)
echo "$environment: the end of it" >&2
exit 9
