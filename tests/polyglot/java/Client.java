// A client generated from the protos: submits a backfill, is refused a second one, and watches it over two streams.

import com.google.protobuf.util.JsonFormat;
import com.google.rpc.ErrorInfo;
import headgate.v1.BackfillServiceGrpc;
import headgate.v1.CreateBackfillRequest;
import headgate.v1.JobServiceGrpc;
import headgate.v1.WatchJobRequest;
import headgate.v1.WatchJobResponse;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;

public final class Client {
  private final ManagedChannel channel;

  private Client(ManagedChannel channel) {
    this.channel = channel;
  }

  public static void main(String[] arguments) throws Exception {
    ManagedChannel channel = ManagedChannelBuilder.forTarget(arguments[0]).usePlaintext().build();
    try {
      Client client = new Client(channel);
      String name = client.submit(Files.readString(Path.of(arguments[1])));
      WatchJobRequest next = client.read(WatchJobRequest.newBuilder().setName(name).setStartRevision(1).build(), 3);
      client.read(next, Long.MAX_VALUE);
    } finally {
      channel.shutdownNow();
    }
  }

  private String submit(String json) throws Exception {
    CreateBackfillRequest.Builder request = CreateBackfillRequest.newBuilder();
    JsonFormat.parser().merge(json, request);
    var backfills = BackfillServiceGrpc.newBlockingStub(channel);
    String name = backfills.createBackfill(request.build()).getName();
    System.out.println("created " + name);
    try {
      backfills.createBackfill(request.setRequestId("another").build());
    } catch (StatusRuntimeException error) {
      var detail = StatusProto.fromThrowable(error).getDetails(0);
      System.out.println("refused " + detail.unpack(ErrorInfo.class).getReason());
    }
    return name;
  }

  /** Reads until `most` revisions were seen or the stream ends; returns where to go on, or null at the end. */
  private WatchJobRequest read(WatchJobRequest request, long most) {
    Context.CancellableContext context = Context.current().withCancellation();
    Context before = context.attach();
    try {
      Iterator<WatchJobResponse> messages = JobServiceGrpc.newBlockingStub(channel).watchJob(request);
      while (messages.hasNext()) {
        WatchJobResponse message = messages.next();
        if (message.hasEnd()) {
          System.out.println("end " + message.getEnd().getReason().name().replace("STREAM_END_REASON_", ""));
          return null;
        }
        if (!message.hasEvent()) {
          continue;
        }
        var event = message.getEvent();
        System.out.println("event " + event.getRevision() + " " + event.getState().name().replace("JOB_STATE_", ""));
        if (message.getRevision() >= most) {
          return request.toBuilder()
              .setStartRevision(message.getRevision() + 1)
              .setIncarnation(message.getIncarnation())
              .build();
        }
      }
      throw new IllegalStateException("the stream ended without saying why");
    } finally {
      context.detach(before);
      context.cancel(null);
    }
  }
}
