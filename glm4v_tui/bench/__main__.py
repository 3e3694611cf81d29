from glm4v_tui.bench.command import bench

if __name__ == "__main__":
    bench()
