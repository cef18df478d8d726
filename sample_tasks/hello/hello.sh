#!/bin/sh
# Says hello from a shell.
#
#     evalbox run sample_tasks/hello/hello.sh
#     evalbox run sample_tasks/hello/hello.sh Ada

echo "Hello, ${1:-world}, from a shell!"
echo "I am user $(id -u) in $(pwd)." >&2
