"""The shell scripts that end an execution, inside the sandbox, to its last process.

They run as the user of the execution, who may look into the environment of its processes. Both take
the mark in the environment and the process that leads the session; they say ``clear`` once nothing
is left. Zombies have an empty environment, and so has what becomes another program this moment: so
nothing is believed to be left only when it was seen twice.
"""

from __future__ import annotations

_ROUNDS = 40
CLEAR = b"clear\n"

#: Looks with ``grep``, at all processes at once.
KILLER = f"""
mark=$1 leader=$2 rounds=0 clear=0 line='
'
# Built in, and at once: what multiplies leaves no process for the tools below.
kill -s KILL -- "-$leader" 2>/dev/null
while [ $clear -lt 2 ] && [ $rounds -lt {_ROUNDS} ]; do
  rounds=$((rounds + 1)) found=
  for file in $(grep -lsF -e "$mark" /proc/[0-9]*/environ); do
    pid=${{file#/proc/}} found="$found ${{pid%/environ}}"
  done
  stats=$(cat /proc/[0-9]*/stat 2>/dev/null)
  IFS=$line
  set -f
  for stat in $stats; do
    IFS=' '
    set -- ${{stat##*) }}
    if [ "$1" != Z ] && {{ [ "$3" = "$leader" ] || [ "$4" = "$leader" ]; }}; then
      found="$found ${{stat%% *}}"
    fi
  done
  set +f
  IFS=" $line"
  if [ "$found" ]; then
    clear=0
    kill -STOP $found 2>/dev/null
    kill -KILL $found 2>/dev/null
  else
    clear=$((clear + 1))
  fi
done
[ $clear -lt 2 ] || echo clear
"""

#: Starts no process of its own, which is not to be had once the execution has them all; slower.
LONE_KILLER = f"""
mark=$1 leader=$2 rounds=0 clear=0
while [ $clear -lt 2 ] && [ $rounds -lt {_ROUNDS} ]; do
  rounds=$((rounds + 1)) found=
  kill -s KILL -- "-$leader" 2>/dev/null && found=group
  for process in /proc/[0-9]*; do
    hit=
    while IFS= read -r text || [ "$text" ]; do
      case $text in *"$mark"*) hit=1; break ;; esac
    done <"$process/environ"
    if [ "$hit" ]; then
      found=one
      kill -STOP "${{process#/proc/}}" && kill -KILL "${{process#/proc/}}"
    fi
  done 2>/dev/null
  if [ "$found" ]; then clear=0; else clear=$((clear + 1)); fi
done
[ $clear -lt 2 ] || echo clear
"""
