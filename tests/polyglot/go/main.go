// A client generated from the protos: submits a backfill, is refused a second one, and watches it over two streams.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	headgatev1 "headgate.test/client/gen/headgate/v1"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, target, requestFile string) error {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	name, err := submit(ctx, conn, requestFile)
	if err != nil {
		return err
	}
	if err := watch(ctx, conn, name); err != nil {
		return err
	}
	return follow(ctx, conn)
}

func submit(ctx context.Context, conn *grpc.ClientConn, requestFile string) (string, error) {
	text, err := os.ReadFile(requestFile)
	if err != nil {
		return "", err
	}
	request := &headgatev1.CreateBackfillRequest{}
	if err := protojson.Unmarshal(text, request); err != nil {
		return "", err
	}
	backfills := headgatev1.NewBackfillServiceClient(conn)
	job, err := backfills.CreateBackfill(ctx, request)
	if err != nil {
		return "", err
	}
	fmt.Println("created", job.Name)
	request.RequestId = "another"
	_, err = backfills.CreateBackfill(ctx, request)
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			fmt.Println("refused", info.Reason)
		}
	}
	return job.Name, nil
}

// watch leaves the first stream after three revisions, and goes on where it was.
func watch(ctx context.Context, conn *grpc.ClientConn, name string) error {
	request := &headgatev1.WatchJobRequest{Name: name, StartRevision: 1}
	jobs := headgatev1.NewJobServiceClient(conn)
	for most := int64(3); ; most = 1 << 62 {
		stream, cancel := context.WithCancel(ctx)
		over, err := read(stream, jobs, request, most)
		cancel()
		if over || err != nil {
			return err
		}
	}
}

func read(ctx context.Context, jobs headgatev1.JobServiceClient, request *headgatev1.WatchJobRequest, most int64) (bool, error) {
	stream, err := jobs.WatchJob(ctx, request)
	if err != nil {
		return false, err
	}
	for request.StartRevision <= most {
		message, err := stream.Recv()
		if err != nil {
			return false, err
		}
		if end := message.GetEnd(); end != nil {
			fmt.Println("end", strings.TrimPrefix(end.Reason.String(), "STREAM_END_REASON_"))
			return true, nil
		}
		if event := message.GetEvent(); event != nil {
			fmt.Println("event", event.Revision, strings.TrimPrefix(event.State.String(), "JOB_STATE_"))
			request.StartRevision, request.Incarnation = message.Revision+1, message.Incarnation
		}
	}
	return false, nil
}
