import Dionysus
import DionysusSchemas
import Foundation

/// Checks Avro against third-party files and programs; see `script/conformance` and `script/conformance-avro-python`.
@main
enum AvroTool {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        switch (arguments.first, arguments.count) {
        case ("conformance", 2):
            exit(Conformance(folder: URL(fileURLWithPath: arguments.last ?? "", isDirectory: true)).run() ? 0 : 1)
        case ("exchange", 1): Exchange.run()
        default:
            print("usage: AvroTool conformance FOLDER | exchange")
            exit(64)
        }
    }
}
