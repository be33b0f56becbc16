# What an embedder gets (component "development"): the public headers, one static library per layer,
# and a package for find_package(runnel) with the targets runnel::socket, runnel::tun and below.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(RUNNEL_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/runnel)

# runnel_install_library(NAME): installs the target runnel_NAME as runnel::NAME.
function(runnel_install_library name)
  add_library(runnel::${name} ALIAS runnel_${name})
  set_target_properties(runnel_${name} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(runnel_${name} PUBLIC cxx_std_20)
  install(TARGETS runnel_${name} EXPORT runnel
          ARCHIVE COMPONENT development
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/stack/include/ ${PROJECT_SOURCE_DIR}/tun/include/
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN *.h)
install(EXPORT runnel NAMESPACE runnel:: FILE runnelConfig.cmake
        DESTINATION ${RUNNEL_PACKAGE_DIR} COMPONENT development)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/runnelConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/runnelConfigVersion.cmake
        DESTINATION ${RUNNEL_PACKAGE_DIR} COMPONENT development)
