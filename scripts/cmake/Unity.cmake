# Compiles several sources at a time, which costs a third as much when everything is compiled, and
# more when one file has changed: for continuous integration. Not the default, because one source
# then may use what only its neighbor includes.
option(RUNNEL_UNITY "Compile several sources at a time" OFF)

# runnel_unity(TARGET): for libraries, whose sources' helpers have different names.
function(runnel_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${RUNNEL_UNITY} UNITY_BUILD_BATCH_SIZE 16)
  if(RUNNEL_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Each source is in a file that includes it, and g++ takes every such file for a header.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
  # These say `using namespace bbr`, whose State is not that of a connection.
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX /congestion/bbr/)
  set_source_files_properties(${sources} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# runnel_unite_tests(VARIABLE NAME): replaces the list of test files in VARIABLE by files that
# contain several of them each.
function(runnel_unite_tests variable name)
  set(script ${PROJECT_SOURCE_DIR}/scripts/cmake/one_unit.py)
  set(rest ${${variable}})
  list(LENGTH rest count)
  math(EXPR units "(${count} + 8) / 9")
  set(united)
  foreach(unit RANGE 1 ${units})
    # As many to each unit as are left for it.
    math(EXPR share "(${count} + ${units} - ${unit}) / (${units} - ${unit} + 1)")
    math(EXPR count "${count} - ${share}")
    list(SUBLIST rest 0 ${share} members)
    list(REMOVE_ITEM rest ${members})
    set(output ${CMAKE_CURRENT_BINARY_DIR}/united/${name}_${unit}.cc)
    add_custom_command(OUTPUT ${output} DEPENDS ${members} ${script} VERBATIM
      COMMAND Python3::Interpreter ${script} ${PROJECT_SOURCE_DIR} ${output} ${members})
    list(APPEND united ${output})
  endforeach()
  set(${variable} ${united} PARENT_SCOPE)
endfunction()
