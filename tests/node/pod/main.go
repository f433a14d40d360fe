// What the Pods of tests run. Without arguments it waits until it is ended, as a
// Pod's first container has to; with `serve :PORT` it takes connections; with
// `dial HOST:PORT` it prints what a client sees, with `show FILE` a file.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "dial" {
		fmt.Println(dial(os.Args[2]))
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "show" {
		show(os.Args[2])
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		go serve(os.Args[2])
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}

func serve(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		if connection, err := listener.Accept(); err == nil {
			connection.Close()
		}
	}
}

func show(file string) {
	content, err := os.ReadFile(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write(content)
}

func dial(address string) string {
	connection, err := net.DialTimeout("tcp", address, 10*time.Second)
	switch {
	case err == nil:
		connection.Close()
		return "connected"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, new(*net.DNSError)):
		return err.Error()
	default:
		return "no answer: " + err.Error()
	}
}
