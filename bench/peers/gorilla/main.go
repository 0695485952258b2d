// Command gorilla is a room server as people write it with gorilla/websocket and Go's protobuf: one
// goroutine reads and one writes for each client, a loop ticks. Two shapes: `naive` builds and marshals
// the snapshot for every recipient; `optimised` marshals and frames it once and keeps only the newest
// one for each client. It speaks ringcast.v1 as far as `ringcast load` needs.
package main

import (
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

func main() {
	shape := flag.String("shape", "optimised", "naive or optimised")
	listen := flag.String("listen", "127.0.0.1:9100", "ADDRESS:PORT")
	rateHz := flag.Int("rate-hz", 60, "ticks per second")
	bytes := flag.Int("bytes", 0, "pads or cuts frames to this; 0: as they are")
	seconds := flag.Int("seconds", 60, "ends after this long at the latest")
	flag.Parse()

	room := newRoom(newWorld(*rateHz, *bytes))
	upgrader := websocket.Upgrader{Subprotocols: []string{"ringcast.v1"}, ReadBufferSize: 1024}
	broadcast := room.broadcastNaively
	if *shape == "optimised" {
		broadcast = room.broadcastOnce
		upgrader.WriteBufferPool = &sync.Pool{} // an idle client holds no buffer
	}
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		if connection, err := upgrader.Upgrade(response, request, nil); err == nil {
			room.serve(connection)
		}
	})
	go func() { log.Fatal(http.ListenAndServe(*listen, nil)) }()

	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM, syscall.SIGINT)
	end := time.After(time.Duration(*seconds) * time.Second)
	// A Ticker leaves out ticks whose time has passed.
	ticker := time.NewTicker(time.Second / time.Duration(*rateHz))
	for {
		select {
		case <-ticker.C:
			broadcast()
		case <-stopped:
			return
		case <-end:
			return
		}
	}
}
