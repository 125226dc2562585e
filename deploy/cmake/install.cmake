# cmake --install build --prefix /usr/local: what is in build/ as it lies there, because programs find what is beside them; and what
# a machine needs to run it.
install(DIRECTORY ${CMAKE_BINARY_DIR}/bin/ DESTINATION bin USE_SOURCE_PERMISSIONS)
install(DIRECTORY ${CMAKE_BINARY_DIR}/lib/pilotlight DESTINATION lib OPTIONAL)
install(FILES ${CMAKE_SOURCE_DIR}/deploy/completion/pilotlight.bash DESTINATION share/bash-completion/completions RENAME pilotlight)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/deploy/systemd/ DESTINATION lib/systemd/system FILES_MATCHING PATTERN "*.service")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/deploy/config DESTINATION share/doc/pilotlight)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION share/doc/pilotlight)
