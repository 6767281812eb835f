# One line a test program: unit_test(NAME LIBRARIES...)
unit_test(base_test rules testkit)
