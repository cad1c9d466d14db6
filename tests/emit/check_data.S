    .section .rodata.check, "a"
    .balign 64
    .globl check_data
check_data:
    .incbin "check_data.bin"
