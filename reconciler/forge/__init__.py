"""Where the code is reviewed: the plan's comment on a pull request of GitHub, or a merge request of GitLab."""
