# Installs runnel into a directory of its own, builds the project in embedder/ against nothing but
# that, and runs it.   cmake -D BUILD=... -D WORK=... -D COMPILER=... -D FLAGS=... -P THIS
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result
                  TIMEOUT 150)
  if(result)
    message(FATAL_ERROR "${ARGN}\nfailed (${result}):\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix --component development)

file(GLOB_RECURSE headers RELATIVE ${WORK}/prefix/include ${WORK}/prefix/include/*)
if(NOT "runnel/stack.h" IN_LIST headers OR NOT "runnel/driver.h" IN_LIST headers)
  message(FATAL_ERROR "not installed: runnel/stack.h or runnel/driver.h, but ${headers}")
endif()
foreach(header IN LISTS headers)
  if(NOT header MATCHES "^runnel/[a-z_]+\\.h$")
    message(FATAL_ERROR "installed, but no public header: ${header}")
  endif()
endforeach()

run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/embedder -B ${WORK}/build -G Ninja
    -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_CXX_FLAGS=${FLAGS}
    -D CMAKE_PREFIX_PATH=${WORK}/prefix -D CMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/embedder)
