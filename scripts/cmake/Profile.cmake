# Profile-guided optimisation of the stack, for the programs that are used.
#
# A packet passes through some five thousand instructions, every tenth of them a branch that nearly
# always goes the same way. The compiler cannot know which; told, it lays out the common way in one
# piece, inlines what is on it and leaves the rest aside: a small request and its response then take
# two thirds of the time. So the stack is built twice:
#
#    profile/          a build that counts, of the stack and tests/bench/training.cc alone
#    profile/counts/   what running it has counted
#
# Whoever changes the stack all the time leaves it out: every change is counted anew.
set(runnel_profile_default OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT RUNNEL_SANITIZE AND NOT RUNNEL_COVERAGE
   AND CMAKE_BUILD_TYPE MATCHES "^(Release|RelWithDebInfo)$")
  set(runnel_profile_default ON)
endif()
option(RUNNEL_PROFILE "Build the stack twice, to optimise it for what it does most"
       ${runnel_profile_default})
if(RUNNEL_PROFILE AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  message(FATAL_ERROR "RUNNEL_PROFILE needs g++; leave it out, or set CXX=g++")
endif()
set(RUNNEL_COUNT_INTO "" CACHE INTERNAL "Set in the build that counts: where it leaves the counts")

set(runnel_profile_directory ${PROJECT_BINARY_DIR}/profile)
set(runnel_profile_counts ${runnel_profile_directory}/counts)

# Compiles a layer so that it counts, or by what was counted.
function(runnel_profiled target)
  # Counts belong to object files, by their path below the build directory.
  set(prefix -fprofile-prefix-path=${PROJECT_BINARY_DIR})
  if(RUNNEL_COUNT_INTO)
    target_compile_options(${target} PRIVATE -fprofile-generate=${RUNNEL_COUNT_INTO} ${prefix})
    target_link_options(${target} INTERFACE -fprofile-generate)
  elseif(RUNNEL_PROFILE)
    # What the training did not reach is compiled as ever: not all that is rare does not matter.
    target_compile_options(${target} PRIVATE -fprofile-use=${runnel_profile_counts} ${prefix}
      -fprofile-partial-training -Wno-missing-profile -Wno-coverage-mismatch)
    add_dependencies(${target} runnel_profile)
  endif()
endfunction()

if(RUNNEL_PROFILE)
  cmake_host_system_information(RESULT runnel_processors QUERY NUMBER_OF_LOGICAL_CORES)
  file(GLOB_RECURSE runnel_profile_sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/stack/*.cc ${PROJECT_SOURCE_DIR}/stack/*.h)
  add_custom_command(OUTPUT ${runnel_profile_directory}/trained
    COMMAND ${CMAKE_COMMAND} --log-level=WARNING -S ${PROJECT_SOURCE_DIR} -B ${runnel_profile_directory}
            -G ${CMAKE_GENERATOR} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
            -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE} "-DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS}"
            -DRUNNEL_UNITY=${RUNNEL_UNITY} -DRUNNEL_TESTS=OFF -DRUNNEL_LTO=OFF -DRUNNEL_PROFILE=OFF
            -DRUNNEL_COUNT_INTO=${runnel_profile_counts}
    COMMAND sh -c "\"$@\" >\"$0\"" ${runnel_profile_directory}/build.log  # quietly
            ${CMAKE_COMMAND} -E env --unset=MAKEFLAGS  # those of a make around it are not its own
            ${CMAKE_COMMAND} --build ${runnel_profile_directory} --target runnel_training
            --parallel ${runnel_processors}
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${runnel_profile_counts}
    COMMAND ${runnel_profile_directory}/runnel_training
    COMMAND ${CMAKE_COMMAND} -E touch ${runnel_profile_directory}/trained
    DEPENDS ${runnel_profile_sources} ${PROJECT_SOURCE_DIR}/tests/bench/training.cc
            ${PROJECT_SOURCE_DIR}/tests/bench/memory_link.h
    COMMENT "Counting what the stack does (RUNNEL_PROFILE)" VERBATIM)
  add_custom_target(runnel_profile DEPENDS ${runnel_profile_directory}/trained)
endif()

# The program that is counted, once there are layers to link.
function(runnel_add_training)
  if(RUNNEL_COUNT_INTO)
    add_executable(runnel_training ${PROJECT_SOURCE_DIR}/tests/bench/training.cc)
    target_include_directories(runnel_training PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(runnel_training PRIVATE runnel_socket runnel_options)
  endif()
endfunction()
