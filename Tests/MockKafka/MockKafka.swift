import DionysusKafkaTesting
import Foundation

/// Runs librdkafka's mock cluster until its standard input is closed, so that it never outlives its parent.
///
/// The first line it prints is the cluster's address.
@main
struct MockKafka {
    static func main() throws {
        let cluster = try MockCluster(brokers: 1)
        print(cluster.bootstrapServers)
        fflush(nil)
        while readLine() != nil {}
        cluster.close()
    }
}
