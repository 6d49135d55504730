# Installation and the Debian package: `cmake --install build`, `cd build && cpack`. The package's dependencies on libraries
# come from dpkg-shlibdeps, so they are those of the Debian that it is built on.
include(GNUInstallDirs)
install(TARGETS gatebench RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES README.md CHANGELOG.md ARCHITECTURE.md DECISIONS.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME gatebench)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "load generator and benchmark suite for LLM gateways")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Replays shared-prefix and unique-prompt loads against a gateway in front of vLLM replicas,
attributes every answer to a replica from the replicas' metrics, judges acceptance gates, and writes comparison
reports. Renders, lints and checks the deployments that it measures. Brings simulated replicas and a reference router.")
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "gatebench developers <gatebench@example.invalid>")
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS kubernetes-client)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
