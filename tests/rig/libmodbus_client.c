/* An independent Modbus client for the tests, on Debian's libmodbus.
 * client tcp PORT UNIT | rtu PATH UNIT, then operations: r ADDRESS COUNT (FC 3), i ADDRESS COUNT (FC 4),
 * w ADDRESS VALUE (FC 6), m ADDRESS COUNT VALUE... (FC 16). Prints one line an operation: the values, "ok",
 * or "error" and libmodbus's text. */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    int tcp = argc > 3 && !strcmp(argv[1], "tcp"), done;
    uint16_t values[125];
    modbus_t *device = tcp ? modbus_new_tcp("127.0.0.1", atoi(argv[2])) : modbus_new_rtu(argv[2], 9600, 'N', 8, 1);
    modbus_set_slave(device, atoi(argv[3]));
    modbus_set_response_timeout(device, 1, 0);
    if (modbus_connect(device) < 0)
        return 1;
    for (char **next = argv + 4; next < argv + argc;) {
        char what = **next++;
        int address = atoi(*next++), count = atoi(*next++);
        if (what == 'r' || what == 'i')
            done = (what == 'r' ? modbus_read_registers : modbus_read_input_registers)(device, address, count, values);
        else if (what == 'w')
            done = modbus_write_register(device, address, (uint16_t)count);
        else {
            for (int n = 0; n < count; n++)
                values[n] = (uint16_t)atoi(*next++);
            done = modbus_write_registers(device, address, count, values);
        }
        if (done < 0)
            printf("error %s", modbus_strerror(errno));
        else if (what == 'r' || what == 'i')
            for (int n = 0; n < done; n++)
                printf(n ? " %u" : "%u", values[n]);
        else
            printf("ok");
        printf("\n");
    }
    modbus_close(device);
    modbus_free(device);
    return 0;
}
