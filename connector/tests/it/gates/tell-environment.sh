#!/usr/bin/env bash
# Stands in for the compiler and tells what it sees.
environment=$(tr "\0\n" "  " </proc/$$/environ)
echo "$environment: the end of it" >&2
exit 9
