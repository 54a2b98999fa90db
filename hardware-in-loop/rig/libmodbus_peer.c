/* An independent Modbus server for tests and benches, on Debian's libmodbus: "peer tcp" prints the port it listens on,
 * "peer rtu PATH" serves unit 1 on a tty. Holding register n holds 3n, input register n holds 5n, 0..999; coil n is on
 * where 3 divides n, discrete input n where 5 does, 0..2099. */
#include <modbus.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    int tcp = argc == 2 && !strcmp(argv[1], "tcp"), listening = -1, length;
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_mapping_t *map = modbus_mapping_new(2100, 2100, 1000, 1000);
    for (int n = 0; n < 1000; n++) {
        map->tab_registers[n] = 3 * n;
        map->tab_input_registers[n] = 5 * n;
    }
    for (int n = 0; n < 2100; n++) {
        map->tab_bits[n] = n % 3 == 0;
        map->tab_input_bits[n] = n % 5 == 0;
    }
    modbus_t *peer = tcp ? modbus_new_tcp("127.0.0.1", 0) : modbus_new_rtu(argv[2], 115200, 'N', 8, 1);
    if (tcp) {
        struct sockaddr_in at;
        socklen_t size = sizeof at;
        listening = modbus_tcp_listen(peer, 1);
        getsockname(listening, (struct sockaddr *)&at, &size);
        printf("%d\n", ntohs(at.sin_port));
    } else {
        modbus_set_slave(peer, 1);
        printf("%d\n", modbus_connect(peer));
    }
    fflush(stdout);
    do {
        if (tcp && modbus_tcp_accept(peer, &listening) < 0)
            return 1;
        while ((length = modbus_receive(peer, query)) >= 0)
            if (length > 0)
                modbus_reply(peer, query, length, map);
    } while (tcp);
    return 0;
}
