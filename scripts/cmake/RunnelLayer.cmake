# runnel_layer(NAME DIRECTORY DEPENDS...): one static library for one layer, from every .cc below
# DIRECTORY, linking the layers that it may include and no others.
function(runnel_layer name directory)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${directory}/*.cc)
  add_library(runnel_${name} STATIC ${sources})
  target_include_directories(runnel_${name}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/stack/include>
    PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(runnel_${name} PRIVATE $<BUILD_INTERFACE:runnel_options>)
  foreach(dependency IN LISTS ARGN)
    target_link_libraries(runnel_${name} PUBLIC runnel_${dependency})
  endforeach()
  runnel_lto_objects(runnel_${name})
  runnel_profiled(runnel_${name})
  runnel_unity(runnel_${name})
  runnel_install_library(${name})
endfunction()
