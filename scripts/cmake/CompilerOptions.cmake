# The warning level, sanitizers and coverage, as one interface target that every layer links.
add_library(runnel_options INTERFACE)
target_compile_options(runnel_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual -Wnull-dereference -Wdouble-promotion -Wcast-align
  -Wimplicit-fallthrough -Wextra-semi)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(runnel_options INTERFACE -Wduplicated-cond -Wlogical-op
    $<$<CONFIG:RelWithDebInfo,Release>:-Wno-null-dereference>) # false alarms once inlined
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  # Headers and findings are values of one or two hundred octets. Left alone g++ clears and copies
  # them by `rep stos` and `rep movs`, each of which takes some thirty cycles to begin with: that
  # was a twentieth of the time of a small request and its response.
  set(block_strategy vector_loop:512:noalign,libcall:-1:noalign)
  set(block_options -mmemset-strategy=${block_strategy} -mmemcpy-strategy=${block_strategy})
  target_compile_options(runnel_options INTERFACE ${block_options})
  target_link_options(runnel_options INTERFACE ${block_options})  # link-time optimisation compiles
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Once inlined, libstdc++ 12's own strings and vectors look to g++ 12 as if they wrote out of
  # bounds, and counted references as if they were used after the last one.
  target_compile_options(runnel_options INTERFACE
    -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict
    -Wno-use-after-free)
  target_link_options(runnel_options INTERFACE -Wno-stringop-overflow)  # as above
endif()
if(RUNNEL_WARNINGS_AS_ERRORS)
  target_compile_options(runnel_options INTERFACE -Werror)
endif()
if(RUNNEL_SANITIZE)
  # With assertions. At -O2 the sanitizers make compilers several times as slow, and find no more.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
  target_compile_options(runnel_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(runnel_options INTERFACE -fsanitize=address,undefined)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented, libstdc++'s own <regex> looks uninitialized to g++.
    target_compile_options(runnel_options INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
if(RUNNEL_COVERAGE)
  target_compile_options(runnel_options INTERFACE --coverage -O0 -fno-inline)
  target_link_options(runnel_options INTERFACE --coverage)
endif()
