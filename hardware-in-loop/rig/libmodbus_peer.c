/* An independent Modbus server for tests and benches, on Debian's libmodbus: "peer tcp" prints the port it listens on,
 * "peer rtu PATH" serves unit 1 on a tty, "peer tcp ADDRESS PORT SERIAL" says SERIAL in holding registers 90..97 and
 * prints the address of each register it is made to write. One connection at a time. Holding register n holds 3n, input register n holds 5n, 0..999; coil n is on
 * where 3 divides n, discrete input n where 5 does, 0..2099. */
#include <modbus.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    int tcp = argc > 1 && !strcmp(argv[1], "tcp"), named = argc == 5, listening = -1, length;
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
    for (int n = 0; named && n < 16; n++) {
        uint16_t *word = map->tab_registers + 90 + n / 2;
        uint8_t letter = (size_t)n < strlen(argv[4]) ? argv[4][n] : 0;
        *word = n % 2 ? *word | letter : letter << 8;
    }
    const char *host = named ? argv[2] : "127.0.0.1";
    int port = named ? atoi(argv[3]) : 0;
    modbus_t *peer = tcp ? modbus_new_tcp(host, port) : modbus_new_rtu(argv[2], 115200, 'N', 8, 1);
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
            if (length > 0) {
                if (named && (query[7] == 6 || query[7] == 16)) {
                    printf("%d\n", query[8] << 8 | query[9]);
                    fflush(stdout);
                }
                modbus_reply(peer, query, length, map);
            }
    } while (tcp);
    return 0;
}
