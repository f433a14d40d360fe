#!/bin/sh
# rustc for the crates of this workspace. The two programs are linked
# statically: they run in an image that has nothing else, and on any Linux.
#
# cargo has no such setting for one crate, and for all of them it would want
# procedural macros to be static too, which they can't be, and so a second build
# of every dependency (https://github.com/rust-lang/rust/issues/78210).
compiler=$1
shift
case " $* " in
*" --crate-name headlint "*" --crate-type bin "* | *" --crate-name headlint_webhook "*" --crate-type bin "*)
    exec "$compiler" "$@" -C target-feature=+crt-static
    ;;
*)
    exec "$compiler" "$@"
    ;;
esac
