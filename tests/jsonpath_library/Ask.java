// One line in, {"path": ..., "document": ...}; one line out, {"value": ...} or {"error": ...}.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.spi.json.JacksonJsonProvider;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

public class Ask {
    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        Configuration configuration = Configuration.builder().jsonProvider(new JacksonJsonProvider()).build();
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            JsonNode question = mapper.readTree(line);
            ObjectNode answer = mapper.createObjectNode();
            try {
                Object document = mapper.convertValue(question.get("document"), Object.class);
                Object value = JsonPath.compile(question.get("path").asText()).read(document, configuration);
                answer.set("value", mapper.valueToTree(value));
            } catch (RuntimeException error) {
                answer.put("error", error.getClass().getSimpleName() + ": " + error.getMessage());
            }
            answers.println(mapper.writeValueAsString(answer));
        }
    }
}
