import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.stream.Collectors;

/** The JDK's HttpClient, which asks for an upgrade to HTTP/2 with each request: BASE_URL MODEL. */
public class JdkClient {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        String question = "\"messages\":[{\"role\":\"user\",\"content\":\"Say hello.\"}],\"max_tokens\":24";
        for (boolean stream : List.of(false, true, false)) {
            String body = "{\"model\":\"" + args[1] + "\"," + question + ",\"stream\":" + stream + "}";
            HttpRequest request = HttpRequest.newBuilder(URI.create(args[0] + "/chat/completions"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
            HttpResponse<java.util.stream.Stream<String>> answer =
                client.send(request, HttpResponse.BodyHandlers.ofLines());
            String text = answer.body().collect(Collectors.joining("\n"));
            String wanted = stream ? "data: [DONE]" : "\"finish_reason\"";
            if (answer.statusCode() != 200 || !text.contains(wanted)) {
                System.out.println("FAILED " + answer.statusCode() + " " + text.lines().findFirst().orElse(""));
                System.exit(1);
            }
        }
        System.out.println("two whole replies and a stream");
    }
}
