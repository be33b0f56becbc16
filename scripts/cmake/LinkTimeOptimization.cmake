# Link-time optimisation of the programs that are measured and used: a packet passes through some
# hundred short functions in all layers, and a seventh of its instructions only calls them.
#
# Objects carry both forms, so that a program which links a layer need not do the same, and the
# symbols of the archives can be looked at. clang 16 cannot make such objects.
set(runnel_lto_default OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT RUNNEL_SANITIZE AND NOT RUNNEL_COVERAGE
   AND CMAKE_BUILD_TYPE MATCHES "^(Release|RelWithDebInfo)$")
  set(runnel_lto_default ON)
endif()
option(RUNNEL_LTO "Optimise programs across the layers when they are linked" ${runnel_lto_default})

# Compiles for both ways of linking.
function(runnel_lto_objects target)
  if(RUNNEL_LTO)
    target_compile_options(${target} PRIVATE -flto=auto -ffat-lto-objects)
  endif()
endfunction()

# Links `target` with it.
function(runnel_lto_program target)
  if(RUNNEL_LTO)
    target_link_options(${target} PRIVATE -flto=auto -O2)
  endif()
endfunction()
