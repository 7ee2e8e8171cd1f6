#!/usr/bin/env bash
# Stands in for a compiler that hangs.
exec sleep 600
