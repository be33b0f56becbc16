# Compiles through ccache when it is installed.
find_program(RUNNEL_CCACHE ccache)
if(RUNNEL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RUNNEL_CCACHE})
endif()
