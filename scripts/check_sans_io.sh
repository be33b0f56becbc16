#!/usr/bin/env bash
# Checks that the archives of stack/ do no I/O, read no clock and no entropy, and start no thread:
# every symbol that they need from outside must be on the list below. It is a list of what is
# allowed, because a list of what is not is evaded by the next symbol.
#
#   scripts/check_sans_io.sh BUILD_DIRECTORY     the librunnel_*.a of a build without sanitizers
#   scripts/check_sans_io.sh ARCHIVE...          these archives, taken together
set -euo pipefail
export LC_ALL=C

layers=(values base wire buffer timer ip tcp core socket)

exceptions='(9exception|9bad_alloc|11logic_error|12length_error|12out_of_range|12domain_error|'
exceptions+='13runtime_error|14overflow_error|16invalid_argument|17bad_function_call|'
exceptions+='18bad_variant_access|19bad_optional_access|20bad_array_new_length)'

# Extended regular expressions for whole symbol names, as the linker sees them.
allowed=(
  # Octets and C strings.
  '(__)?mem(cpy|move|set|cmp|chr|rchr)(_chk)?' bcmp 'str(len|nlen|cmp|ncmp|chr|rchr)'
  # Assertions, stack protection, and running off the end of memory.
  __assert_fail __stack_chk_fail abort
  # Arithmetic that the processor lacks (libgcc).
  '__(u?div|u?mod|u?divmod|mul|mulo|ashl|ashr|lshr|popcount|clz|ctz|bswap)[a-z]*[sdt]i[234]'
  # Exceptions' machinery: vectors and strings may throw bad_alloc during construction.
  '_Unwind_(Resume|Resume_or_Rethrow|RaiseException|DeleteException)' __gxx_personality_v0
  '__cxa_(begin_catch|end_catch|rethrow|throw|allocate_exception|free_exception|pure_virtual)'
  '__cxa_(bad_cast|bad_typeid|throw_bad_array_new_length|get_exception_ptr|call_unexpected)'
  '__cxa_init_primary_exception' _ZSt9terminatev
  '_ZSt[0-9]+__throw_[a-z_]+(PKc|PKcz|v|i|PKcmm)?'
  # Function-local and global objects.
  '__cxa_guard_(acquire|release|abort)' __cxa_atexit __dso_handle _GLOBAL_OFFSET_TABLE_
  # operator new and delete, plain, array, sized, aligned, nothrow.
  '_Zn[wa]m(RKSt9nothrow_t|St11align_val_t(RKSt9nothrow_t)?)?'
  '_Zd[la]Pv(m|RKSt9nothrow_t|St11align_val_t|mSt11align_val_t|St11align_val_tRKSt9nothrow_t)?'
  _ZSt7nothrow
  # Run-time type information of our own classes (__cxxabiv1).
  '_ZTVN10__cxxabiv1[0-9]+__[a-z_]+_type_infoE' __dynamic_cast
  '_ZNKSt9type_info(6before|7__equal|8__do|eq).*' _ZTISt9type_info
  # Standard exceptions: construct, destroy, throw, catch.
  "_Z(T[VIS]St$exceptions|NK?St$exceptions(C|D|4what).*)"
  # std::string; no stream has a name that begins so.
  '_ZNK?St7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE.*'
  '_ZStplIcSt11char_traitsIcESaIcEENSt7__cxx1112basic_string.*'
  '_ZSt(eq|lt|gt|le|ge|ne|plI).*NSt7__cxx1112basic_stringI.*'
  '_ZNSaIcE[CD][0-9].*'
  # std::error_code and its categories.
  '_Z(T[VIS]N|NK?)St3_V214error_category(E|[CD4-9].*|1[0-9].*|23.*)'
  _ZNSt3_V216generic_categoryEv _ZNSt3_V215system_categoryEv
  # The parts of containers that are compiled into libstdc++.
  '_ZNKSt8__detail20_Prime_rehash_policy.*' '_ZNSt8__detail15_List_node_base.*'
  '_ZSt(18_Rb_tree_increment|18_Rb_tree_decrement|20_Rb_tree_black_count).*'
  '_ZSt(28_Rb_tree_rebalance_for_erase|29_Rb_tree_insert_and_rebalance).*'
  _ZSt11_Hash_bytesPKvmm
  # Numbers to and from text.
  '_ZSt8to_charsPc.*' '_ZSt10from_charsPKc.*'
)

archives=()
for argument in "$@"; do
  if [[ -d $argument ]]; then
    for layer in "${layers[@]}"; do
      archives+=("$argument/stack/librunnel_$layer.a")
    done
    for archive in "$argument"/stack/librunnel_*.a; do
      [[ " ${archives[*]} " == *" $archive "* ]] || archives+=("$archive")
    done
  else
    archives+=("$argument")
  fi
done
if ((${#archives[@]} == 0)); then
  echo "usage: check_sans_io.sh BUILD_DIRECTORY | ARCHIVE..." >&2
  exit 2
fi
for archive in "${archives[@]}"; do
  if [[ ! -r $archive ]]; then
    echo "$archive: not there" >&2
    exit 2
  fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# nm -A --format=posix: "ARCHIVE[MEMBER]: NAME TYPE [VALUE SIZE]".
nm -A --format=posix "${archives[@]}" >"$work/symbols"
awk '$3 ~ /^[A-TV-Zu]$/ { print $2 }' "$work/symbols" | sort -u >"$work/defined"
awk '$3 ~ /^[Uwv]$/ { print $2 }' "$work/symbols" | sort -u >"$work/undefined"
if [[ ! -s $work/defined ]]; then
  echo "nothing is defined in: ${archives[*]}" >&2
  exit 2
fi
if grep -qE '^__(asan|ubsan|tsan|msan|gcov|llvm)_' "$work/undefined"; then
  echo "built with sanitizers or for coverage: use a plain build" >&2
  exit 2
fi

printf '%s\n' "${allowed[@]}" >"$work/allowed"
comm -23 "$work/undefined" "$work/defined" | { grep -vxE -f "$work/allowed" || true; } >"$work/bad"
if [[ -s $work/bad ]]; then
  awk 'NR == FNR { bad[$1]; next } ($2 in bad) && $3 ~ /^[Uwv]$/ { print $1, $2 }' \
    "$work/bad" "$work/symbols" | sort -u | sed 's|^.*/||' | c++filt |
    while read -r where name; do echo "$where needs $name, which is not on the list"; done
  exit 1
fi
echo "$(wc -l <"$work/undefined") undefined symbols in ${#archives[@]} archives, all on the list"
